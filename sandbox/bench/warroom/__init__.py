"""What a room costs that many watch: a real server, its participants in a process of their own, and a bare broadcast beside."""
