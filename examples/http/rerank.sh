#!/bin/sh
# Ranks four documents over HTTP. Start a server first: cargo run --release -- serve
# Usage: sh rerank.sh [ADDRESS]; QWEN3_RERANK_API_KEY is sent as the key if it is set.
set -eu
address=${1:-http://127.0.0.1:8080}

curl --fail-with-body --silent --show-error "$address/rerank" \
  ${QWEN3_RERANK_API_KEY:+-H "authorization: Bearer $QWEN3_RERANK_API_KEY"} \
  -H 'content-type: application/json' \
  -d '{
    "query": "What is the capital of the United States?",
    "documents": [
      "Carson City is the capital city of the American state of Nevada.",
      "Capital punishment has existed in the United States since before it was a country.",
      "Washington, D.C. is the capital of the United States.",
      "The capital of the Northern Mariana Islands is Saipan."
    ],
    "top_n": 2
  }'
echo
