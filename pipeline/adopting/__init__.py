"""``ship adopt``: taking over what was deployed before ``ship`` came. Files claim, the chain proves."""
