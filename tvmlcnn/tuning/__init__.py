"""Finding better schedules by measuring them."""
