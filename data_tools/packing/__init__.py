"""How a selection becomes a store: :func:`data_tools.store.pack` drives what stands here."""
