"""The stores secrets are kept in, one module a store, imported when a reference names it."""
