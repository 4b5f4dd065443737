"""Single beats of the data set ECG5000: from its published tables to the pair of networks that ships for them."""
