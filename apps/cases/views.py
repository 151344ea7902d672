from django.shortcuts import render


def case_queue(request):
    return render(request, "base.html")


def case(request, pk):
    return render(request, "base.html")


case_assign = case_note = case_move = case_close = case_reopen = case
