"""How the models that tdm-filter runs are made, and how what they restore is measured."""
