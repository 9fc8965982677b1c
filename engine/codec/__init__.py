"""Events and checkpoints to bytes and back: the shapes that outlive the process."""
