"""The spine: journal, order, tick, checkpoint, replay, picture, history. The only room with memory."""
