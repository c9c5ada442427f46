print("key-step-ratio")
