"""Programs that work while their owner is away. They use the public names of ``oneseat`` only."""
