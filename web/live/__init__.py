"""Live: what the topics tell, held for the browsers and sent on to them."""
