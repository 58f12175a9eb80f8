"""What the application needs from the outside, as Protocols. Adapters and projections implement them."""
