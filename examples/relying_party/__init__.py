"""A small relying party: EMI, CROW or Reports, by configuration."""
