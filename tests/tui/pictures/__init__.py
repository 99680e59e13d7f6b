"""Pictures of every screen as text, the scene that they show, and the walk on which they are taken."""
