"""What recorded runs tell: built on the same fold, with no rules of its own."""
