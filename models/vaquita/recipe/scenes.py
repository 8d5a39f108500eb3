from smalltalk import scene
