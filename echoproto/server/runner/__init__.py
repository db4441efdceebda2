"""The process that ``twistd`` runs: its options, its daemon, its pid file and its end."""
