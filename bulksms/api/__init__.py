"""HTTP: requests in, one service called, answers out. Two dialects and the carriers' callbacks."""
