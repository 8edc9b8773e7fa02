print("tdm-filter")
