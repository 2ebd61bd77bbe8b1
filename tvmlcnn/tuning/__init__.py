"""Finding better schedules by measuring them: what `tvmlcnn tune` does."""
