/* Ask an export through TensorFlow's C API, without Python; c_api.py compiles it and reads its answers.
 *
 *   c_api EXPORT [-l LIBRARY]... -i TENSOR -o NAME=TENSOR... < requests > answers
 *
 * LIBRARY is a library of operations, as TensorFlow Text has them; TENSOR is what the signature calls
 * the one text that it takes, and NAME=TENSOR an output of texts or float32:
 * `saved_model_cli show --dir EXPORT --all` tells them. The requests come in rounds, in which several
 * threads take one after the other:
 *
 *   REQUESTS THREADS     whole numbers on a line, and for each request
 *   ROWS                 how many texts it has, and for each text
 *   BYTES                its length, on a line, then the text itself and a line break
 *
 * A round is answered with a line of JSON: `seconds` of each request, those of the `round` and of all
 * `processors` in it, and `answers`.
 */

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

enum { MOST = 64 }; /* outputs, and threads */

typedef struct {
  TF_Session *session;
  TF_Output input;
  TF_Output outputs[MOST];
  const char *names[MOST];
  int count; /* of the outputs */
} Model;

typedef struct {
  TF_Tensor *texts;
  TF_Tensor *answers[MOST];
  double seconds;
} Request;

typedef struct {
  const Model *model;
  Request *requests;
  size_t count, next;
  pthread_mutex_t lock; /* of `next` */
} Round;

static void fail(const char *what, const char *why) {
  fprintf(stderr, "c_api: %s: %s\n", what, why);
  exit(1);
}

static void check(const char *what, TF_Status *status) {
  if (TF_GetCode(status) != TF_OK) fail(what, TF_Message(status));
}

static void *allocate(size_t count, size_t size) {
  void *room = calloc(count ? count : 1, size);
  if (!room) fail("memory", "there is too little");
  return room;
}

static double now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* The end of an operation that a name such as "serving_default_text:0" tells. */
static TF_Output find(TF_Graph *graph, const char *tensor) {
  char *name = strcpy(allocate(strlen(tensor) + 1, 1), tensor);
  char *colon = strrchr(name, ':');
  if (colon) *colon = 0;
  TF_Output found = {TF_GraphOperationByName(graph, name), colon ? atoi(colon + 1) : 0};
  if (!found.oper || found.index < 0 || found.index >= TF_OperationNumOutputs(found.oper))
    fail(tensor, "the export has no such tensor");
  free(name);
  return found;
}

static Model load(int count, char **arguments) {
  const char *tags[] = {"serve"};
  TF_Status *status = TF_NewStatus();
  Model model = {0};
  if (count < 2) fail("arguments", "an export is needed; see the head of c_api.c");
  /* The libraries first, or the graph has operations that nobody knows. */
  for (int i = 2; i + 1 < count; i += 2) {
    if (strcmp(arguments[i], "-l")) continue;
    TF_DeleteLibraryHandle(TF_LoadLibrary(arguments[i + 1], status)); /* it stays loaded */
    check(arguments[i + 1], status);
  }
  TF_Graph *graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  model.session = TF_LoadSessionFromSavedModel(options, NULL, arguments[1], tags, 1, graph, NULL, status);
  check(arguments[1], status);
  TF_DeleteSessionOptions(options);
  TF_DeleteStatus(status);
  for (int i = 2; i < count; i += 2) {
    if (i + 1 == count) fail(arguments[i], "a value must follow");
    if (!strcmp(arguments[i], "-i")) {
      model.input = find(graph, arguments[i + 1]);
    } else if (!strcmp(arguments[i], "-o")) {
      char *equals = strchr(arguments[i + 1], '=');
      if (!equals || model.count == MOST) fail(arguments[i + 1], "at most 64 outputs as NAME=TENSOR");
      *equals = 0;
      model.names[model.count] = arguments[i + 1];
      model.outputs[model.count++] = find(graph, equals + 1);
    } else if (strcmp(arguments[i], "-l")) {
      fail(arguments[i], "is no option");
    }
  }
  if (!model.input.oper || !model.count) fail("arguments", "an input and an output are needed");
  return model;
}

static size_t read_number(void) {
  size_t number;
  if (scanf("%zu", &number) != 1 || getchar() == EOF) fail("requests", "a number is missing");
  return number;
}

static TF_Tensor *read_texts(void) {
  int64_t rows = (int64_t)read_number();
  TF_Tensor *tensor = TF_AllocateTensor(TF_STRING, &rows, 1, (size_t)rows * sizeof(TF_TString));
  TF_TString *texts = TF_TensorData(tensor);
  for (int64_t i = 0; i < rows; i++) {
    size_t length = read_number();
    char *bytes = allocate(length, 1);
    if (fread(bytes, 1, length, stdin) != length || getchar() != '\n') fail("requests", "a text is cut off");
    TF_StringInit(&texts[i]);
    TF_StringCopy(&texts[i], bytes, length);
    free(bytes);
  }
  return tensor;
}

/* TensorFlow does not free what the strings of a tensor hold outside of it. */
static void delete_texts(TF_Tensor *tensor) {
  TF_TString *texts = TF_TensorData(tensor);
  for (int64_t i = 0; i < TF_Dim(tensor, 0); i++) TF_StringDealloc(&texts[i]);
  TF_DeleteTensor(tensor);
}

/* What a thread does: take the next request until there is none. */
static void *work(void *argument) {
  Round *round = argument;
  TF_Status *status = TF_NewStatus();
  for (;;) {
    pthread_mutex_lock(&round->lock);
    size_t number = round->next++;
    pthread_mutex_unlock(&round->lock);
    if (number >= round->count) break;
    Request *request = &round->requests[number];
    const Model *model = round->model;
    double begun = now(CLOCK_MONOTONIC);
    TF_SessionRun(model->session, NULL, &model->input, &request->texts, 1, model->outputs,
                  request->answers, model->count, NULL, 0, NULL, status);
    request->seconds = now(CLOCK_MONOTONIC) - begun;
    check("a request", status);
  }
  TF_DeleteStatus(status);
  return NULL;
}

static void print_text(const char *text, size_t length) {
  putchar('"');
  for (size_t i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)text[i];
    if (byte == '"' || byte == '\\') putchar('\\');
    if (byte < ' ')
      printf("\\u%04x", byte);
    else
      putchar(byte);
  }
  putchar('"');
}

/* Print the values from one on as nested lists; return the place after them. */
static int64_t print_values(const TF_Tensor *tensor, int dimension, int64_t place) {
  if (dimension < TF_NumDims(tensor)) {
    putchar('[');
    for (int64_t i = 0; i < TF_Dim(tensor, dimension); i++) {
      if (i) putchar(',');
      place = print_values(tensor, dimension + 1, place);
    }
    putchar(']');
    return place;
  }
  if (TF_TensorType(tensor) == TF_STRING) {
    const TF_TString *text = (const TF_TString *)TF_TensorData(tensor) + place;
    print_text(TF_StringGetDataPointer(text), TF_StringGetSize(text));
  } else {
    float value = ((const float *)TF_TensorData(tensor))[place];
    if (isfinite(value))
      printf("%.9g", (double)value);
    else
      fputs("null", stdout);
  }
  return place + 1;
}

static void print_answer(const Model *model, const Request *request) {
  putchar('{');
  for (int i = 0; i < model->count; i++) {
    const TF_Tensor *answer = request->answers[i];
    if (TF_TensorType(answer) != TF_STRING && TF_TensorType(answer) != TF_FLOAT)
      fail(model->names[i], "only texts and float32 can be printed");
    if (i) putchar(',');
    print_text(model->names[i], strlen(model->names[i]));
    putchar(':');
    print_values(answer, 0, 0);
  }
  putchar('}');
}

static void answer_round(const Model *model, size_t count, size_t threads) {
  Round round = {model, allocate(count, sizeof(Request)), count, 0, PTHREAD_MUTEX_INITIALIZER};
  pthread_t others[MOST];
  if (threads < 1 || threads > MOST) fail("requests", "1 to 64 threads");
  for (size_t i = 0; i < count; i++) round.requests[i].texts = read_texts();
  double begun = now(CLOCK_MONOTONIC), used = now(CLOCK_PROCESS_CPUTIME_ID);
  for (size_t i = 1; i < threads; i++)
    if (pthread_create(&others[i], NULL, work, &round)) fail("threads", "one cannot be started");
  work(&round);
  for (size_t i = 1; i < threads; i++) pthread_join(others[i], NULL);
  used = now(CLOCK_PROCESS_CPUTIME_ID) - used;
  printf("{\"round\":%.9f,\"processors\":%.9f,\"seconds\":[", now(CLOCK_MONOTONIC) - begun, used);
  for (size_t i = 0; i < count; i++) printf("%s%.9f", i ? "," : "", round.requests[i].seconds);
  fputs("],\"answers\":[", stdout);
  for (size_t i = 0; i < count; i++) {
    if (i) putchar(',');
    print_answer(model, &round.requests[i]);
    delete_texts(round.requests[i].texts);
    for (int j = 0; j < model->count; j++) TF_DeleteTensor(round.requests[i].answers[j]);
  }
  puts("]}");
  fflush(stdout);
  free(round.requests);
}

int main(int count, char **arguments) {
  Model model = load(count, arguments);
  size_t requests;
  while (scanf("%zu", &requests) == 1) answer_round(&model, requests, read_number());
  return 0;
}
