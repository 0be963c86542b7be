"""The HTTP gateway's own data: its clients, and a chat request as all APIs mean it."""
