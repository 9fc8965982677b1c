"""How fast the endpoints of models may be asked, by all runs of a process together."""
