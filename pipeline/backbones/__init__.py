"""The pretrained networks: what is known of each, its weights, and the engines that run it."""
