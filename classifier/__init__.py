"""The CIFAR-10 classifier of the homework: its data, its training, its experiments."""
