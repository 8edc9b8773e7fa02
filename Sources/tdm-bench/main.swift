print("tdm-bench")
