"""What the runtime itself costs an event: fetch, unpack, slices, batches, transactions. The fold does little."""
