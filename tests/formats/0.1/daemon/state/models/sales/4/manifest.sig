{
  "format": 1,
  "algorithm": "ed25519",
  "key": "ed25519:gRykW38yODjw0IQbvxNqZgfFAsutZBCEMkArgBAoqgU=",
  "signature": "5KKnHUn1UGKPuqEQI4gcXlT6Tq8WLQJeNxZH9z48/r1fhNtHdrW9+WF3WrKXlomhkDkJTkDx5b+vj8ByqgTSBQ=="
}
