print("keystep")
