"""What ``manage.py bulksms_demo`` is made of; nothing here belongs into a real project."""
