"""What the HTTP gateway does: recognises its clients, finds who serves them, and holds their conversations."""
