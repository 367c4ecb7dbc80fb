"""The 2-5-1 GAN: trained to its theoretical optimum, and understood."""
