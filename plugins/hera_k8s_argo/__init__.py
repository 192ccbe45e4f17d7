"""The Argo server: credentials, a client, checks, and the engines that run workflows through it or without it."""
