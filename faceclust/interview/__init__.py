"""The interview without a screen: what is asked, the faces shown with it, what an answer says."""
