"""ComfyUI: what its graphs mean (pure), and how its server is spoken to (`client`, `socket`)."""
