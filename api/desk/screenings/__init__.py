"""What the desk shows of screenings: list, patient, result, answers and the form to amend them."""
