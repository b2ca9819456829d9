"""Makes prepared models from published weights; needs torch, optimum and NNCF."""
