"""What passes share: constants, names and calls of a Relax graph, and where its channels lie."""
