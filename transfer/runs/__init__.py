"""What a training leaves behind: run folder, page, exported model, predictions."""
