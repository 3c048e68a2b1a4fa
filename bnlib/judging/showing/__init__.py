"""How an examination looks: a table in Jupyter, the same in stable plain text elsewhere."""
