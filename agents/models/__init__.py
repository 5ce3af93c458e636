"""Models behind one seam: LiteLLM, offline doubles, and wrappers that stack."""
