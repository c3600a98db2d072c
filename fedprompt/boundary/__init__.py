"""What comes from elsewhere: measured before it is parsed, closed, and refused at the first error."""
