"""Networks, their losses, and the model folder they are saved in."""
