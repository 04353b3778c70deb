"""Model packs: manifests, verified files, ONNX sessions."""
