"""The dialect "v1": snake_case, trailing slashes, problems as RFC 9457 has them."""
