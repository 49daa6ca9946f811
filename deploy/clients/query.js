// Ask a served model from JavaScript, and print a line of JSON for each text. Node 18 or newer, which has fetch.
//
//   node deploy/clients/query.js http://127.0.0.1:8501/v1/models/model "Where is my parcel?" "Thank you!"

// A page in a browser is asked by its own server: TensorFlow Serving sends no CORS headers, and has no password.
async function predict(url, texts) {
  const response = await fetch(`${url}:predict`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ instances: texts }),
    signal: AbortSignal.timeout(30_000),
  });
  const body = await response.text();
  if (!response.ok) {
    let reason = body.slice(0, 200);
    try {
      reason = JSON.parse(body).error ?? reason;
    } catch {
      // What is no JSON is shown as it came, as from a proxy in between.
    }
    throw new Error(`${response.status}: ${reason}`);
  }
  return JSON.parse(body).predictions;
}

async function main([url, ...texts]) {
  if (texts.length === 0) {
    console.error("usage: node query.js URL_OF_MODEL TEXT...");
    return 2;
  }
  try {
    for (const answer of await predict(url, texts)) console.log(JSON.stringify(answer));
    return 0;
  } catch (error) {
    console.error(`error: ${error.message}${error.cause ? ` (${error.cause.message})` : ""}`);
    return 1;
  }
}

main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
