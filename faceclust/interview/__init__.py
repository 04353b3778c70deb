"""The naming interview without a screen: its questions, the faces shown with them, and its answers."""
