#!/bin/sh
# Ask a served model with curl, and print the server's answer.
#
#   deploy/clients/query.sh http://127.0.0.1:8501/v1/models/model "Where is my parcel?" "Thank you!"
#   deploy/clients/query.sh http://127.0.0.1:8501/v1/models/model/labels/stable "Where is my parcel?"
#
# Needs curl 7.76 or newer. Exit codes: curl's own; 22 where the server refuses, whose reason is printed then.
set -eu

if [ $# -lt 2 ]; then
    echo "usage: $0 URL_OF_MODEL TEXT..." >&2
    exit 2
fi
url=$1
shift

# A text as a JSON string. The other control characters, which JSON does not take, are left out.
quoted() {
    printf '%s\n' "$1" | tr -d '\001-\010\013\014\016-\037' |
        sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e "s/$(printf '\t')/\\\\t/g" -e "s/$(printf '\r')/\\\\r/g" |
        awk '{ printf "%s%s", between, $0; between = "\\n" }'
}

body='{"instances": ['
between=
for text in "$@"; do
    body=$body$between\"$(quoted "$text")\"
    between=', '
done
body=$body']}'

# From standard input, for a command line has an end, and others can read it.
printf '%s' "$body" | curl --silent --show-error --fail-with-body --max-time 30 \
    --header 'Content-Type: application/json' --data-binary @- "$url:predict"
