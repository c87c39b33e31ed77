"""The use cases, one function each; `synthaug` exports what is public. Commands stand on these."""
