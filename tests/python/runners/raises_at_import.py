print("importing")
raise RuntimeError("the config is not there")
