"""The web application that is measured, in gunicorn, as docs/howto/go_live.md has it."""

from __future__ import annotations

import gc

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
gc.collect()
gc.freeze()
